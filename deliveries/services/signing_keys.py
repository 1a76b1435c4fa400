"""Makes the keys that sign a subscription's requests, and keeps them sealed. It rotates none and shows none.

With `v1` both sides hold one secret. With `v1a` Weir alone holds the private half, and the public one is no secret:
so it is what a receiver is given, and the private one is never shown.
"""

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError

from deliveries.models import Signing, Subscription, SubscriptionSecret
from webhooks.deciders import standard

from . import subscription_rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """New keys in the clear: `secret` to be shown this once, `public_key` to anyone; either may be empty."""

    signing: str
    secret: str = field(repr=False)
    public_key: str
    _kept: tuple[str, ...] = field(repr=False)

    @property
    def count(self) -> int:
        return len(self._kept)


def make(*, secret: str, signing: str) -> Keys:
    """Around the secret that is given, else new ones. Raises ValidationError, which never repeats a secret."""
    if signing not in ("", *Signing.values):
        raise ValidationError({"signing": [f"Choose one of {', '.join(Signing.values)}."]})
    if secret:
        return _given(secret, signing)
    signing = signing or Signing.V1
    shared = standard.new_secret() if signing != Signing.V1A else ""
    private = standard.new_private_key() if signing != Signing.V1 else ""
    return Keys(
        signing=signing,
        secret=shared,
        public_key=standard.public_key(private),
        _kept=tuple(each for each in (private, shared) if each),
    )


def add(subscription: Subscription, keys: Keys) -> list[str]:
    """In the caller's transaction. Returns their hints; the shared secret's, where there is one, is the last."""
    hints = []
    for plain in keys._kept:
        public = standard.public_key(plain)
        hint = (public or plain)[-4:]
        SubscriptionSecret.objects.create(
            subscription=subscription, sealed=plain, hint=hint, public_key=public
        )
        hints.append(hint)
    return hints


def _given(secret: str, signing: str) -> Keys:
    try:
        subscription_rules.check_secret(secret)
        public = standard.public_key(secret)
    except ValueError as error:
        raise ValidationError({"secret": [str(error)]}) from None
    fits = Signing.V1A if public else Signing.V1
    if signing not in ("", fits):
        raise ValidationError(
            {"secret": [f"This secret signs {fits}; leave it out and one is made that fits."]}
        )
    return Keys(signing=fits, secret="" if public else secret, public_key=public, _kept=(secret,))
