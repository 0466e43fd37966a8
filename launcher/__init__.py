"""What launches and watches the services: the command, the supervisor, started dashboards."""
