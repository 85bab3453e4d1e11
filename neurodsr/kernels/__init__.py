"""The one piecewise-linear map behind every model, and running it through time."""
