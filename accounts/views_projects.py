"""The projects of an organisation."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import projects as project_rules
from accounts import undo
from accounts.models import Project
from accounts.projects import ProjectError
from accounts.roles import May, MemberRequest, may, member_page

page_with_form = require_http_methods(["GET", "HEAD", "POST"])


class ProjectForm(forms.ModelForm[Project]):
    class Meta:
        model = Project
        fields = ("name",)
        help_texts = {"name": "As it stands in lists and reports."}
        error_messages = {"name": {"required": "Give the project a name."}}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "off"})}


@require_safe
@member_page(May.LOOK)
def projects(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    found = list(project_rules.listed(organization))
    page = {
        "projects": [(project, project_rules.is_default(organization, project)) for project in found],
        "manages": may(request.membership, May.MANAGE_PROJECTS),
    }
    return render(request, "accounts/projects.html", page)


@page_with_form
@member_page(May.MANAGE_PROJECTS)
def new_project(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    form = ProjectForm(request.POST or None)
    if form.is_valid():
        made = project_rules.create(request, organization, form.cleaned_data["name"])
        messages.success(request, f"The project {made} is there. Keys can be made in it.")
        return redirect("accounts:settings-projects", organization.slug)
    return render(request, "accounts/projects_new.html", {"form": form})


@page_with_form
@member_page(May.LOOK, May.MANAGE_PROJECTS)
def project_page(request: MemberRequest, project: int) -> HttpResponse:
    found = _project(request, project)
    form = ProjectForm(request.POST or None, initial={"name": found.name})
    if form.is_valid():
        project_rules.rename(request, found, form.cleaned_data["name"])
        messages.success(request, f"The project is called {found} now.")
        return redirect("accounts:settings-projects", found.organization.slug)
    page = {
        "form": form,
        "project": found,
        "keys": project_rules.keys_of(found),
        "is_default": project_rules.is_default(found.organization, found),
        "manages": may(request.membership, May.MANAGE_PROJECTS),
    }
    return render(request, "accounts/projects_project.html", page)


@page_with_form
@member_page(May.MANAGE_PROJECTS)
def archive(request: MemberRequest, project: int) -> HttpResponse:
    found = _project(request, project)
    problem = ""
    if request.method == "POST":
        try:
            revoked = project_rules.archive(request, found)
        except ProjectError as error:
            problem = str(error)
        else:
            _tell_archived(request, found, revoked)
            return redirect("accounts:settings-projects", found.organization.slug)
    page = {"project": found, "keys": project_rules.keys_of(found), "problem": problem}
    return render(request, "accounts/projects_archive.html", page)


@require_POST
@member_page(May.MANAGE_PROJECTS)
def restore(request: MemberRequest, project: int) -> HttpResponse:
    found = _project(request, project)
    project_rules.restore(request, found)
    messages.success(request, f"{found} is back. Its old keys stay revoked; make new ones.")
    return redirect("accounts:settings-projects", found.organization.slug)


def _tell_archived(request: MemberRequest, project: Project, revoked: int) -> None:
    """Without keys nothing was lost, and it can be undone; a revoked key never comes back."""
    if revoked:
        messages.success(request, f"{project} is archived. Its keys are revoked.")
        return
    restore = reverse("accounts:settings-restore-project", args=[project.organization.slug, project.pk])
    undo.done(request, f"{project} is archived.", undo=restore)


def _project(request: MemberRequest, pk: int) -> Project:
    of_here = Project.objects.of(request.membership.organization).select_related("organization")
    found: Project = get_object_or_404(of_here, pk=pk)
    return found
