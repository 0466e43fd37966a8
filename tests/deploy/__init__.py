"""docker-compose.yml and deploy/: what is there exists, and is as safe as it says."""
