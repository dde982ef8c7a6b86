"""The addresses of the workspace's REST API, under /api/v1/."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("members/", api.MemberList.as_view(), name="api-members"),
    path("members/<str:public_id>/", api.MemberDetail.as_view(), name="api-member"),
    path("invitations/", api.InvitationList.as_view(), name="api-invitations"),
    path("invitations/<str:public_id>/", api.InvitationDetail.as_view(), name="api-invitation"),
    path("tokens/", api.TokenList.as_view(), name="api-tokens"),
    path("tokens/<str:public_id>/", api.TokenDetail.as_view(), name="api-token"),
    path("usage/", api.Usage.as_view(), name="api-usage"),
    path("audit/", api.AuditLog.as_view(), name="api-audit"),
    path("me/", api.Me.as_view(), name="api-me"),
    path("workspace/", api.WorkspaceDetail.as_view(), name="api-workspace"),
    path("errors/", api.Errors.as_view(), name="api-errors"),
]
