"""What is to be said of a configuration before it is started: xl config-check."""
