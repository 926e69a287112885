"""A web page, and an HTTP interface beside it, on which a model answers about photos and videos."""
