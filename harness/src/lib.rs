//! Firedrill rehearses outages and proves that they fit the budget.
