"""A product whose simulated devices take updates: it has a key of its own, for as long as it runs."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools import application
from tools.board import settings
from tools.cloud import Cloud
from tools.release import job
from tools.release.manifest import APP, HASH_BYTES, IMAGE, Manifest, block_hashes
from tools.release.roots import Root
from tools.release.signatures import Signature
from tools.sim.packed import deployed

_LASTS = timedelta(days=1)
_CRASH = """

async def main(thing):
    raise RuntimeError("a fault of this version")
"""


def reports() -> dict[str, object]:
    """REPORTS of simulated devices, for the live page; what they log that has from their consoles."""
    return {"crash": True, "log": "warning", "metrics_s": 300, "package": settings.values()["PRODUCT"]}


class Product:
    """Makes and publishes versions of the application (tools.application) with this checkout's library.

    Args:
        reports: REPORTS of firmware/settings.py in each of them; None: as it is there.

    Attributes:
        version: as firmware/settings.py has it.
    """

    def __init__(self, reports: Mapping[str, object] | None = None) -> None:
        self._settings = "" if reports is None else f"REPORTS = {dict(reports)!r}\n"
        self._key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PublicFormat.UncompressedPoint
        public = self._key.public_key().public_bytes(serialization.Encoding.X962, form)
        known = settings.values()
        self._name, self.version = known["PRODUCT"], known["VERSION"]
        self._root = Root(self._name, 1, 1, (public,))

    def texts(self, version: str = "", app: str | None = None) -> Mapping[str, str]:
        """What a version has other than the checkout, by paths in that; `app` is another firmware/app.py."""
        version = version or self.version
        lines = (application.folder() / "firmware/settings.py").read_text("utf-8")
        changes = {
            "firmware/settings.py": f"{lines}\nVERSION = {version!r}\n{self._settings}",
            "firmware/update_root.py": f'ROOT = """\\\n{self._root.text().decode()}"""\n',
        }
        return changes | ({} if app is None else {"firmware/app.py": app})

    def build(self, version: str, app: str | None = None) -> bytes:
        """The pack of a version: some seconds' work."""
        return deployed(self.texts(version, app))["/firmware.pack"]

    def publish(self, cloud: Cloud, thing: str, version: str, pack: bytes) -> str:
        """Have a thing install a version; returns the job's id."""
        return self._publish(cloud, thing, self.about_app(version, pack), pack)

    def publish_image(self, cloud: Cloud, thing: str, version: str, image: bytes, board: str) -> str:
        """The same for an image, as it is to be in a partition; `board` in the words of its build."""
        about, file = self.about_image(version, image, board)
        return self._publish(cloud, thing, about, file)

    def about_app(self, version: str, pack: bytes) -> Manifest:
        """What is to be signed of a pack."""
        return self._about(APP, version, pack, (), micropython="1.25.0", mpy="6")

    def about_image(self, version: str, image: bytes, board: str) -> tuple[Manifest, bytes]:
        """What is to be signed of an image, and the file that travels."""
        hashed = block_hashes(image)
        blocks = len(hashed) // HASH_BYTES, hashlib.sha256(hashed).hexdigest()
        return self._about(IMAGE, version, hashed + image, (board,), blocks=blocks), hashed + image

    def signed(self, about: Manifest) -> Signature:
        """The product's signature of that."""
        return Signature(self._root.ids[0], self._key.sign(about.text(), ec.ECDSA(hashes.SHA256())))

    def _about(
        self, kind: str, version: str, file: bytes, boards: tuple[str, ...], **members: Any
    ) -> Manifest:
        digest, ends = hashlib.sha256(file).hexdigest(), datetime.now(UTC) + _LASTS
        size = len(file)
        return Manifest(self._name, kind, version, 0, ends, "ESP32", boards, size, digest, **members)

    def _publish(self, cloud: Cloud, thing: str, about: Manifest, file: bytes) -> str:
        job_id = f"update-{datetime.now(UTC):%y%m%d-%H%M%S-%f}"
        cloud.s3.objects.create_bucket(job.LOCAL_BUCKET)
        cloud.s3.objects.put(job.LOCAL_BUCKET, job_id, file)
        url = job.url(job.LOCAL_BUCKET, job_id, cloud.registry.arn("").split(":")[3])
        cloud.jobs.create_job(
            jobId=job_id,
            targets=[cloud.registry.arn(f"thing/{thing}")],
            document=job.document(about.text(), [self.signed(about)], url),
            presignedUrlConfig=job.presigned(),
        )
        return job_id


def app_that_crashes() -> str:
    """The application with a fault in it."""
    return (application.folder() / "firmware/app.py").read_text("utf-8") + _CRASH
