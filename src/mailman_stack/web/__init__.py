"""The web interface, a Django project: Postorius, HyperKitty and the tasks of both."""
