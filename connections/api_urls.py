"""The addresses of connections in the REST API, under /api/v1/."""

from django.urls import path

from connections import api

urlpatterns = [
    path("connections/", api.ConnectionList.as_view(), name="api-connections"),
    path("connections/<str:slug>/", api.ConnectionDetail.as_view(), name="api-connection"),
    path("connections/<str:slug>/authorize/", api.Authorize.as_view(), name="api-connection-authorize"),
    path("connections/<str:slug>/refresh/", api.Refresh.as_view(), name="api-connection-refresh"),
    path("connections/<str:slug>/check/", api.Check.as_view(), name="api-connection-check"),
    path("connections/<str:slug>/disconnect/", api.Disconnect.as_view(), name="api-connection-disconnect"),
]
