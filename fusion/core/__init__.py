"""What every room of `fusion` stands on."""
