"""From a request and its response to rows of `predictions`."""
