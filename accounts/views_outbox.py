"""Mail that was kept instead of sent, for staff. It holds codes that let people in: who may read it may be anybody."""

from __future__ import annotations

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import kept_mail
from accounts.models import KeptMail

may_read = permission_required("accounts.view_keptmail", raise_exception=True)
# The HTML of a mail is shown as its reader's program would, and can do nothing: no script, no form, no request.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@never_cache
@require_safe
@staff_member_required
@may_read
def outbox(request: HttpRequest) -> HttpResponse:
    return render(
        request, "outbox/list.html", {"mails": KeptMail.objects.defer("text", "html"), "most": kept_mail.KEPT}
    )


@never_cache
@require_safe
@staff_member_required
@may_read
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "outbox/mail.html", {"mail": get_object_or_404(KeptMail, pk=pk)})


@never_cache
@require_safe
@staff_member_required
@may_read
def mail_html(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(KeptMail, pk=pk)
    if not found.html:
        raise Http404
    return HttpResponse(found.html, headers={"Content-Security-Policy": SANDBOX})
