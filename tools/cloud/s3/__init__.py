"""As much of Amazon S3 as an update needs: objects put by boto3, served by HTTPS with presigned URLs."""

from .service import S3, FilesPortError

__all__ = ["S3", "FilesPortError"]
