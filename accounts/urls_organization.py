"""The pages of an organisation that are about its people, projects and settings: all under /o/SLUG/."""

from django.urls import path

from accounts import views_audit, views_members, views_projects, views_settings

urlpatterns = [
    path("members/", views_members.members, name="members"),
    path("members/invite/", views_members.invite, name="members-invite"),
    path("members/leave/", views_members.leave, name="members-leave"),
    path("members/<int:membership>/", views_members.member, name="members-member"),
    path("members/<int:membership>/remove/", views_members.remove, name="members-remove"),
    path("members/invitations/<int:invitation>/resend/", views_members.resend, name="members-resend"),
    path("members/invitations/<int:invitation>/revoke/", views_members.revoke, name="members-revoke"),
    path("audit-log/", views_audit.audit_log, name="audit-log"),
    path("audit-log/export.<str:shape>", views_audit.export, name="audit-log-export"),
    path("settings/", views_settings.settings_page, name="settings"),
    path("settings/close/", views_settings.close, name="settings-close"),
    path("projects/", views_projects.projects, name="settings-projects"),
    path("projects/new/", views_projects.new_project, name="settings-new-project"),
    path("projects/<int:project>/", views_projects.project_page, name="settings-project"),
    path("projects/<int:project>/archive/", views_projects.archive, name="settings-archive-project"),
    path("projects/<int:project>/restore/", views_projects.restore, name="settings-restore-project"),
]
