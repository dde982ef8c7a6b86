"""The addresses of connections in the cabinet, under /connections/."""

from django.urls import path

from connections import form_views, views
from connections.callback import callback

app_name = "connections"
urlpatterns = [
    path("", views.index, name="list"),
    path("new/", form_views.new, name="new"),
    path("<str:public_id>/", views.detail, name="detail"),
    path("<str:public_id>/edit/", form_views.edit, name="edit"),
    path("<str:public_id>/preview/", form_views.live_preview, name="preview"),
    path("<str:public_id>/authorize/", views.authorize, name="authorize"),
    path("<str:public_id>/callback/", callback, name="callback"),
    path("<str:public_id>/refresh/", views.renew, name="refresh"),
    path("<str:public_id>/check/", views.check, name="check"),
    path("<str:public_id>/disconnect/", views.disconnect, name="disconnect"),
    path("<str:public_id>/delete/", views.delete, name="delete"),
]
