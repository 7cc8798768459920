/** A small diff with a few mistakes in it, to try the page with. */

export const EXAMPLE = `diff --git a/shop/orders.py b/shop/orders.py
index 06fcfff..cba83ae 100644
--- a/shop/orders.py
+++ b/shop/orders.py
@@ -22,17 +22,18 @@ class Order:
 
 
 def total(order: Order) -> Decimal:
-    """What the customer owes, without shipping."""
-    return sum((line.price * line.quantity for line in order.lines), Decimal(0))
+    """What the customer owes, with tax, without shipping."""
+    net = sum((line.price * line.quantity for line in order.lines), Decimal(0))
+    return rounded(with_tax(net))
 
 
 def find_orders(db, customer: str) -> list[Order]:
     """All orders of one customer, newest first."""
     rows = db.execute(
-        "SELECT id, customer FROM orders WHERE customer = ? ORDER BY id DESC",
-        (customer,),
+        f"SELECT id, customer FROM orders WHERE customer = '{customer}'"
+        " ORDER BY id DESC"
     )
     return [Order(row["id"], row["customer"], ()) for row in rows]
 
 
 def drop_empty(orders: dict[int, Order]) -> None:
@@ -40,6 +41,7 @@ def drop_empty(orders: dict[int, Order]) -> None:
     """Forget the orders that have no lines."""
-    for order_id in [key for key, order in orders.items() if not order.lines]:
-        del orders[order_id]
+    for order_id, order in orders.items():
+        if not order.lines:
+            del orders[order_id]
 
 
 def export(orders: list[Order], path: str) -> None:
`;
