# syntax=docker/dockerfile:1
# The environment of uv.lock with torch's CUDA libraries, for machines with an NVIDIA GPU and the
# NVIDIA container toolkit.
#
#   docker build -t pomai .
#   docker run --rm --gpus all -v "$PWD/images:/images" pomai \
#       pomai fuse --ir /images/ir --vi /images/vi --out /images/fused --weights pomai-base
#
# The pipeline needs a clone of the repository, so mount it and run as its owner:
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD:/work" -w /work \
#       pomai dvc repro

FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# Dependencies first: this layer holds gigabytes and changes with uv.lock only.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY fusion fusion
COPY detection detection
COPY segmentation segmentation
COPY pipelines pipelines
RUN uv sync --locked --no-dev --no-editable

FROM python:3.12-slim
# OpenCV needs libGL and GLib; DVC needs Git.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 pomai
COPY --from=build /app/.venv /app/.venv
ENV PATH="/app/.venv/bin:$PATH" DVC_NO_ANALYTICS=1
USER pomai
WORKDIR /home/pomai
CMD ["pomai", "--help"]
