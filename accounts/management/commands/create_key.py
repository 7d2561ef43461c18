"""Issue an API key from a terminal or a script: standard output holds the secret and nothing else."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import ApiKey, Membership, NotIssuedError, Organization, Project, Scope, User


class Command(BaseCommand):
    help = "Issue an API key. Prints only its secret on standard output; the secret is never shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", required=True, metavar="SLUG", help="the organisation that the key belongs to")
        parser.add_argument("--name", required=True, help="what the key is called in lists")
        parser.add_argument("--rpm", type=int, metavar="N", help="requests in any 60 seconds; else the default")
        parser.add_argument(
            "--owner",
            metavar="EMAIL",
            help="the member who holds the key and takes it along; else it is a service account's",
        )
        parser.add_argument("--project", metavar="SLUG", help="the project that the key belongs to; else the default")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            metavar="SCOPE",
            help=f"what the key may do, once for each: {', '.join(Scope.values)}; else chat and embeddings",
        )
        parser.add_argument("--create-org", action="store_true", help="make the organisation if there is none")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        organization = self._organization(options["org"], create=options["create_org"])
        owner = _owner(options["owner"], organization) if options["owner"] else None
        draft = ApiKey(name=options["name"].strip(), requests_per_minute=options["rpm"])
        _check(draft, {"name": "--name", "requests_per_minute": "--rpm"})
        try:
            key, secret = ApiKey.objects.issue(
                organization=organization,
                name=draft.name,
                owner=owner,
                requests_per_minute=options["rpm"],
                project=_project(options["project"], organization) if options["project"] else None,
                scopes=options["scope"],
            )
        except NotIssuedError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Issued {key} for {organization.slug}. This is the only time its secret is shown.")
        self.stdout.write(secret)

    def _organization(self, slug: str, *, create: bool) -> Organization:
        found = Organization.objects.filter(slug=slug).first()
        if found is None and not create:
            raise CommandError(f"There is no organisation '{slug}'. Add --create-org to make it.")
        if found is None:
            found = Organization(slug=slug, name=slug)
            _check(found, {"slug": "--org", "name": "--org"})
            found.save()
            self.stderr.write(f"Made the organisation {slug}.")
        if found.suspended_at is not None:
            self.stderr.write(f"Note: {slug} is suspended, so the key is refused until that ends.")
        return found


def _owner(email: str, organization: Organization) -> User:
    user = User.objects.at(email).first()
    if user is None:
        raise CommandError(f"Nobody signs in as {email}. Make the person in the admin first, or leave --owner out.")
    if not Membership.objects.of(organization).filter(user=user).exists():
        raise CommandError(
            f"{user.email} is not a member of {organization.slug}. Add the membership in the admin first, "
            "name a member, or leave --owner out."
        )
    return user


def _project(slug: str, organization: Organization) -> Project:
    found: Project | None = Project.objects.of(organization).filter(slug=slug).first()
    if found is None:
        raise CommandError(
            f"{organization.slug} has no project '{slug}'. Make it in the admin, or leave --project out."
        )
    return found


def _check(row: ApiKey | Organization, arguments: dict[str, str]) -> None:
    """Raise the columns' own complaints about what the person typed, under the names they typed it by."""
    try:
        row.clean_fields()
    except ValidationError as error:
        complaints = [
            f"{arguments[name]}: {' '.join(error.message_dict[name])}"
            for name in arguments
            if name in error.message_dict
        ]
        if complaints:
            raise CommandError(" ".join(dict.fromkeys(complaints))) from error
