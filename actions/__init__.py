"""The connector kit: how an action is declared, checked, shown and executed."""
