"""The registry, whole."""

import time
from collections.abc import Callable

from .. import ca
from ..database import Database
from .claims import Claims
from .groups import Groups
from .policies import Policies
from .things import Things


class Registry(Claims, Policies, Things):
    """The control plane's part that a device's connection depends on.

    Args:
        database: where all of it is kept.
        authority: signs what create_keys_and_certificate and create_certificate_from_csr make.
        clock: seconds since 1970.
        region, account_id: what ARNs are made of.
    """

    def __init__(
        self,
        database: Database,
        authority: ca.Authority,
        clock: Callable[[], float] = time.time,
        region: str = "us-east-1",
        account_id: str = "123456789012",
    ) -> None:
        prefix = f"arn:aws:iot:{region}:{account_id}:"

        def changed() -> None:
            database.after_commit(self._next_revision)

        super().__init__(database, prefix, clock, changed)
        self._authority = authority
        self.groups = Groups(database, prefix, clock, changed)
        self.revision = 0  # grows with each change that an authorisation can depend on

    def policy_documents(self, certificate_id: str, client_id: str) -> list[str]:
        """What holds for a connection: the policies of its certificate and of its thing's groups.

        A connection's thing is the one that its client id names, where the certificate is attached to that
        (Developer Guide, "AWS IoT Core policies").
        """
        certificate = self.arn(f"cert/{certificate_id}")
        targets = [certificate]
        if client_id in self.list_principal_things(principal=certificate)["things"]:
            targets += self.groups.arns_over(client_id)
        names = self._policies_of(*targets)
        documents = [self._db.all("SELECT document FROM policies WHERE name = ?", n)[0][0] for n in names]
        return documents + self.claim_documents(certificate_id)

    def _next_revision(self) -> None:
        self.revision += 1
