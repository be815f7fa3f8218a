"""What runs as Lambda functions: it imports botocore, Flask and apig-wsgi, and nothing of this project."""
