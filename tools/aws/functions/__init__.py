"""What runs in AWS: each module here is a Lambda function's whole source."""
