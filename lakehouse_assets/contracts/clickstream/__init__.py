"""What visitors do on the site and in the app: a stream of events."""
