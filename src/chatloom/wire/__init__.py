"""The protocols as data: what requests and answers look like, strictly."""
