"""The addresses of scenarios and of the help on expressions."""

from django.urls import URLPattern, URLResolver, include, path

from scenarios.pages.editor import arranging_views, editor_views, help_views, list_views, step_views, trigger_views
from scenarios.pages.overview import example_views

pages: list[URLPattern | URLResolver] = [
    path("", list_views.scenario_list, name="list"),
    path("new/", list_views.new, name="new"),
    path("import/", list_views.import_document, name="import"),
    path("example/", example_views.make, name="example"),
    path("<str:public_id>/", editor_views.edit, name="edit"),
    path("<str:public_id>/name/", editor_views.rename, name="rename"),
    path("<str:public_id>/switch/", list_views.switch, name="switch"),
    path("<str:public_id>/publish/", editor_views.publish, name="publish"),
    path("<str:public_id>/run/", editor_views.run, name="run"),
    path("<str:public_id>/settings/", editor_views.settings, name="settings"),
    path("<str:public_id>/versions/", editor_views.versions, name="versions"),
    path("<str:public_id>/versions/<int:number>/", editor_views.version, name="version"),
    path("<str:public_id>/versions/<int:number>/restore/", editor_views.restore, name="restore"),
    path("<str:public_id>/export/", editor_views.export, name="export"),
    path("<str:public_id>/copy/", list_views.copy, name="copy"),
    path("<str:public_id>/delete/", list_views.delete, name="delete"),
    path("<str:public_id>/trigger/", trigger_views.trigger, name="trigger"),
    path("<str:public_id>/trigger/type/", trigger_views.choose, name="choose_trigger"),
    path("<str:public_id>/trigger/sample/", trigger_views.sample, name="sample"),
    path("<str:public_id>/trigger/deliveries/", trigger_views.deliveries, name="deliveries"),
    path("<str:public_id>/deliveries/", include("scenarios.pages.deliveries.urls")),
    path("<str:public_id>/add/", step_views.add, name="add_step"),
    path("<str:public_id>/steps/<str:key>/", step_views.step, name="step"),
    path("<str:public_id>/steps/<str:key>/test/", step_views.test, name="test_step"),
    path("<str:public_id>/steps/<str:key>/key/", step_views.rename_key, name="rename_key"),
    path("<str:public_id>/steps/<str:key>/copy/", step_views.copy, name="copy_step"),
    path("<str:public_id>/steps/<str:key>/delete/", step_views.delete, name="delete_step"),
    path("<str:public_id>/steps/<str:key>/move/", arranging_views.move, name="move_step"),
    path("<str:public_id>/steps/<str:key>/shift/", arranging_views.shift, name="shift_step"),
    path("<str:public_id>/steps/<str:key>/branches/", arranging_views.branches, name="branches"),
    path(
        "<str:public_id>/steps/<str:key>/branches/<int:number>/delete/",
        arranging_views.delete_branch,
        name="delete_branch",
    ),
    path("<str:public_id>/steps/<str:key>/handler/delete/", arranging_views.delete_handler, name="delete_handler"),
]
urlpatterns = [
    path("help/expressions/", help_views.expression_help, name="help"),
    path("", include((pages, "scenarios"))),
]
