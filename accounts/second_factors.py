"""What people prove themselves with beside a password: authenticator apps, passkeys and recovery codes."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from accounts import encryption
from accounts.models import User

PURPOSE = "second factor"
# Where a kind keeps what nobody may read: `data` has it in this name.
SECRETS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}


def kept_secret() -> QuerySet[Authenticator]:
    """All that is encrypted, locked, for whoever encrypts it anew."""
    found: QuerySet[Authenticator] = Authenticator.objects.select_for_update().filter(type__in=SECRETS)
    return found


def renew(factor: Authenticator) -> bool:
    """Encrypt it under the newest key. Returns whether that changed anything. Raises `encryption.SealError`."""
    name = SECRETS[Authenticator.Type(factor.type)]
    sealed = encryption.renewed(PURPOSE, factor.data[name])
    if sealed == factor.data[name]:
        return False
    factor.data[name] = sealed
    factor.save(update_fields=["data"])
    return True


def take_away(user: User) -> int:
    """All of them, from somebody who lost them. Returns how many there were."""
    factors = Authenticator.objects.filter(user=user)
    count: int = factors.count()
    factors.delete()
    return count
