"""Model servers that Fairlead starts and watches itself. They know no caller, no route and no money."""
