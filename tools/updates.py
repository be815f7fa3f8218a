"""A product whose simulated devices take updates: it has a key of its own, for as long as it runs."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware import settings
from tools.cloud import Cloud
from tools.release import job
from tools.release.manifest import APP, Manifest
from tools.release.roots import Root
from tools.release.signatures import Signature
from tools.sim.device import ROOT
from tools.sim.packed import deployed

_LASTS = timedelta(days=1)


class Product:
    """Makes and publishes versions of the firmware in this checkout."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PublicFormat.UncompressedPoint
        public = self._key.public_key().public_bytes(serialization.Encoding.X962, form)
        self._root = Root(settings.PRODUCT, 1, 1, (public,))

    def texts(self, version: str = settings.VERSION, app: str | None = None) -> Mapping[str, str]:
        """What a version has other than the checkout, by paths in that; `app` is another firmware/app.py."""
        lines = (ROOT / "firmware/settings.py").read_text("utf-8")
        changes = {
            "firmware/settings.py": f"{lines}\nVERSION = {version!r}\n",
            "firmware/update_root.py": f'ROOT = """\\\n{self._root.text().decode()}"""\n',
        }
        return changes | ({} if app is None else {"firmware/app.py": app})

    def build(self, version: str, app: str | None = None) -> bytes:
        """The pack of a version: some seconds' work."""
        return deployed(self.texts(version, app))["/firmware.pack"]

    def publish(self, cloud: Cloud, thing: str, version: str, pack: bytes) -> str:
        """Have a thing install a version; returns the job's id."""
        digest, ends = hashlib.sha256(pack).hexdigest(), datetime.now(UTC) + _LASTS
        manifest = Manifest(
            settings.PRODUCT, APP, version, 0, ends, "ESP32", (), len(pack), digest, "1.25.0", "6"
        ).text()
        signature = self._key.sign(manifest, ec.ECDSA(hashes.SHA256()))
        job_id = f"update-{datetime.now(UTC):%y%m%d-%H%M%S-%f}"
        cloud.s3.objects.create_bucket(job.LOCAL_BUCKET)
        cloud.s3.objects.put(job.LOCAL_BUCKET, job_id, pack)
        url = job.url(job.LOCAL_BUCKET, job_id, cloud.registry.arn("").split(":")[3])
        cloud.jobs.create_job(
            jobId=job_id,
            targets=[cloud.registry.arn(f"thing/{thing}")],
            document=job.document(manifest, [Signature(self._root.ids[0], signature)], url),
            presignedUrlConfig=job.presigned(),
        )
        return job_id
