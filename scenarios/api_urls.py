from django.urls import include, path
from rest_framework.routers import SimpleRouter

from scenarios import api, api_deliveries, api_runs

router = SimpleRouter()
router.register("scenarios", api.ScenarioApi, basename="scenario")
router.register("runs", api_runs.RunApi, basename="run")
router.register("deliveries", api_deliveries.DeliveryApi, basename="delivery")

urlpatterns = [
    path("modules/", api.ModulesApi.as_view()),
    path("", include(router.urls)),
]
