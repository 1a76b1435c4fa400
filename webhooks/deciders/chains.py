"""Says whether a certificate leads to an authority that is trusted here. It fetches nothing, and asks for no name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.x509 import Certificate, ExtendedKeyUsage, Name, UnsupportedGeneralNameType
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

# Of the signer nothing is asked but its place in the chain: it is no server's and no client's. Issuers must be
# authorities, as for the web, whatever purpose they are limited to.
_OF_SIGNERS = ExtensionPolicy.permit_all()
_OF_ISSUERS = ExtensionPolicy.webpki_defaults_ca().may_be_present(
    ExtendedKeyUsage, Criticality.AGNOSTIC, None
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Roots:
    """Whom somebody trusts to vouch for a certificate."""

    store: Store | None  # None: nobody
    names: frozenset[Name]


def roots_of(certificates: Iterable[Certificate]) -> Roots:
    trusted = list(certificates)
    return Roots(store=Store(trusted) if trusted else None, names=frozenset(each.subject for each in trusted))


NOBODY = roots_of(())


def is_vouched_for(chain: Sequence[Certificate], roots: Roots, at: datetime) -> bool:
    """The signer comes first in the chain, its issuers follow in any order.

    A signer that comes alone, and whose issuer is not known here, has a path that nobody can walk: AWS SNS publishes
    its so. What stands in for it is the TLS that it was fetched by, from the provider's own host.
    """
    signer, issuers = chain[0], list(chain[1:])
    if not issuers and signer.issuer != signer.subject and signer.issuer not in roots.names:
        return True
    if roots.store is None:
        return False
    policy = PolicyBuilder().store(roots.store).time(at)
    policy = policy.extension_policies(ee_policy=_OF_SIGNERS, ca_policy=_OF_ISSUERS)
    try:
        policy.build_client_verifier().verify(signer, issuers)
    except (VerificationError, UnsupportedGeneralNameType, ValueError):
        return False
    return True
