"""The addresses of signing in and of the settings; `accounts:` before each name."""

from django.urls import path

from accounts import entry_views, profile_views, workspace_views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", entry_views.sign_in, name="sign_in"),
    path("sign-up/", entry_views.sign_up, name="sign_up"),
    path("sign-out/", entry_views.sign_out, name="sign_out"),
    path("reset/", entry_views.reset, name="reset"),
    path("reset/<str:public_id>/<str:token>/", entry_views.reset_confirm, name="reset_confirm"),
    path("setup/<str:secret>/", entry_views.set_up, name="setup"),
    path("invitations/<str:secret>/", entry_views.invitation, name="invitation"),
    path("settings/profile/", profile_views.profile, name="profile"),
    path("settings/password/", profile_views.password, name="password"),
    path("workspaces/new/", profile_views.new_workspace, name="new_workspace"),
    path("workspaces/switch/", profile_views.switch_workspace, name="switch_workspace"),
    path("settings/workspace/", workspace_views.workspace, name="workspace"),
    path("settings/members/", workspace_views.member_list, name="members"),
    path("settings/members/<str:public_id>/role/", workspace_views.change_role, name="change_role"),
    path("settings/members/<str:public_id>/remove/", workspace_views.remove_member, name="remove_member"),
    path("settings/invitations/<str:public_id>/withdraw/", workspace_views.withdraw, name="withdraw_invitation"),
    path("settings/tokens/", workspace_views.token_list, name="tokens"),
    path("settings/tokens/<str:public_id>/revoke/", workspace_views.revoke_token, name="revoke_token"),
    path("settings/audit/", workspace_views.audit_log, name="audit"),
]
