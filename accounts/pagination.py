"""Long lists of the API, by cursor: `{"results": […], "next": url | null, "previous": url | null}`."""

from typing import Any

from django.core.exceptions import ValidationError as WrongValue
from django.db import DataError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

# What a made-up cursor ends in: it is none, its position is no value of the ordering column, or none that is kept.
WRONG_POSITIONS = (NotFound, ValueError, TypeError, OverflowError, WrongValue, DataError)


class Cursor(CursorPagination):
    """A view names its order in `cursor_ordering` (default: newest id first); `?limit=` takes 1 to 200."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering: Any = "-id"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        ordering = getattr(view, "cursor_ordering", self.ordering)
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except WRONG_POSITIONS as error:
            if not request.query_params.get(self.cursor_query_param):
                raise
            # A cursor that is not ours is a wrong input: no missing page, and no bug of ours either.
            raise ValidationError({"cursor": [_("This cursor cannot be read.")]}) from error
