"""TIM: see `method`."""
