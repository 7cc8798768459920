"""Lines that never run are no running code, for each language and kind.

In a case, each line begins with a mark: ``+`` is running code, ``.`` is not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reviewbot.models.offline.parser import ParserPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.models.offline.parser import Parser

CASES = {
    "a.py": """\
+def f(a):
+    if a:
+        return 1
.        # a comment
.        clean(a)
+    elif b:
+        raise ValueError
.        clean(a)
+    else:
+        use(a)
+    for b in a:
+        if b: continue
+        use(b)
+        break
.        clean(b)
+    if False:
.        clean(a)
.        clean(b)
+    elif a:
+        use(a)
+    if (0):
.        clean(a)
+    else:
+        use(a)
.    if not True and a:
.        clean(a)
+    if "":
.        clean(a)
+    while ():
.        clean(a)
+    if not []:
+        use(a)
+    if TYPE_CHECKING:
.        clean(a)
+    if True:
+        use(a)
.    else:
.        clean(a)
+    while False:
.        clean(a)
.    b = False and (
.        clean(a)
.    )
.    c = True or a or (
.        clean(a)
.    )
.    if False and a and b:
.        clean(a)
+    if a and False or b:
+        use(a)
+    if 1 > 2:
+        use(a)
+    sys.exit(1)
.    clean(a)
+def g():
+    exited = 1
+    exit_code = exit
+    try:
+        return 1
+    finally:
+        use(b)
+    return [
+        b
.    ]
""",
    "a.js": """\
+function f() {
+  if (a) return 1;
+  else use(b);
+  if (a) {
+    throw b;
.    clean(a);
+  } else {
+    use(a);
.  }
+  switch (a) {
+    case 1:
+      break;
.      clean(a);
+    case 2:
+      use(a);
+    default:
+      use(b);
.  }
.  if (false) {
.    clean(a);
.  } else if (b) {
+    use(b);
.  }
+  if (!1)
.    clean(a);
+  if ("")
.    clean(a);
+  if ([])
+    use(a);
+  for (;a;)
+    use(a);
+  for (;false;)
.    clean(a);
+  do
+    use(a);
+  while (false);
.  false && clean(a);
+  helper();
+  return b;
+  function helper() {
+    use(a);
.  }
.  clean(a);
.L: clean(b);
.}
+{ process.exit(1); }
.clean(b);
""",
    "b.js": """\
+use(a);
.<!-- clean(a);
.clean(b)
.--> clean(c);
+use(b);
.use("<!--")
.while (n --> 0) use(c);
""",
    "a.ts": """\
+use(a);
.<!-- clean(a)
.clean(b)
.-->
+use(b);
+function f(): number { return 1;
.  clean(a);
.}
""",
    "a.tsx": """\
+const A = () => { if (x) { return <p/>; }
+  return (<div>
.    {false && <B
.      safe={clean(x)} />}
+    {x && <C />}
+  </div>);
.  clean(x);
.};
""",
    "a.go": """\
+package a
+func f() {
+  if a { return }
+  use(a)
+  switch {
+  case a:
+    return
.    clean(a)
+  default:
+    use(a)
.  }
.  if false {
.    clean(a)
.  } else {
+    use(a)
.  }
.  for false {
.    clean(a)
.  }
+  if a { goto end }
+  panic("a")
.  clean(a)
+end:
+  use(b)
+  return
.other:
.  clean(a)
.}
""",
    "A.java": """\
+class A {
+  void f() {
+    switch (a) {
+      case 1: break;
+      case 2: use(a); return;
+      default: use(b);
.    }
.    while (false) {
.      clean(a);
.    }
+    try {
+      throw new A();
+    } finally { use(a); }
+    use(b);
+    System.exit(1);
.    clean(a);
.  }
+  A() { return;
.    clean(a);
.  }
+  void g() { use(a); }
.}
""",
    "a.rb": """\
+def f
+  return 1 if a
+  use(a)
+  return 1
.  clean(a)
+rescue A
+  use(a)
+ensure
+  use(b)
+end
.if false
.  clean(a)
+else
+  use(a)
+end
.clean(a) if false
+use(a) if 0
.unless true
.  clean(a)
+end
+items.each do |x|
+  next
.  clean(x)
+end
+raise "a"
.clean(a)
""",
    "a.php": """\
+<?php
+if ($a) { return 1; }
.if (false) { clean($a);
.} else { use_($a);
.}
.if (0):
.  clean($a);
+else:
+  use_($a);
+endif;
+switch ($a) {
+  case 1: break;
+  default: use_($b);
.}
+function g() { die("a");
.  clean($a);
.}
+exit;
.clean($a);
+function h() {
+  use_($a);
.}
.__HALT_COMPILER();
.clean($a);
.function i() { clean($a); }
""",
    "a.c": """\
+int f(int a) {
+#if 0
.  clean(a);
.#if A
.  clean(a);
.#endif
.#else
+  use(a);
+#endif
.#if 0 && A // a comment
.  clean(a);
.#elif A
+  use(a);
+#endif
+# if (1)
+  use(a);
+#else
.  clean(a);
.#endif
+#if \\
+  0
.  clean(a);
.#endif
+#ifdef A
+  use(a);
+#endif
+  switch (a) {
+  case 1:
+    break;
.    clean(a);
+  case 2:
+    use(a);
.  }
+  if (a) goto end;
+  { return 1; }
.  clean(a);
+end:
+  use(a);
+  abort();
.  clean(a);
.other:
.  clean(a);
.}
""",
    "a.cpp": """\
+int f() {
.  if (false) {
.    clean(a);
.  }
+#if false
.  clean(a);
.#endif
+  use(a);
+  throw a;
.  clean(a);
.}
+void g() { std::exit(1);
.  clean(a);
.}
""",
    "A.cs": """\
+class A {
+  void F() {
+#if false
.    Clean(a);
.#endif
+    switch (a) {
+      case 1: break;
+      default: Use(a); break;
.    }
.    if (false) { Clean(a); }
+    Use(b);
+    throw new A();
.    Clean(a);
.  }
.}
""",
    "a.rs": """\
+fn f() -> u8 {
+    let b = match a { A => return 1, _ => use_(a) };
+    use_(b);
.    if false {
.        clean(a);
.    } else {
+        use_(a);
.    }
+    loop {
+        break;
.        clean(a);
.    }
+    panic!("a");
.    clean(a);
.}
+fn g() { return;
.    clean(a)
.}
""",
    "a.kt": """\
+fun f(): Int {
+  val b = a ?: return 1
+  use(b)
.  if (false) { clean(a)
.  } else { use(a)
.  }
+  throw A()
.  clean(a)
.}
+fun g() { return
.  clean(a)
.}
""",
    "a.sh": """\
+f() {
+  return 1
.  clean a
.}
+if false; then
.  clean a
+elif a; then
+  use a
+  exit 1
.  clean a
+else
+  use a
+fi
+case $a in
+  b) exit 1
.    clean a
.    ;;
+  c) use a ;;
+esac
+exit 1 &
+use a
+a || exit 1
+use a
.false && clean a
+true ||
.  clean a
+true && use a
+exit 1
.clean a
""",
    "a.lua": """\
+do return end
.clean(a)
.if false then
.  clean(a)
.end
""",
    "b.lua": """\
+if false then
.  clean(a)
+elseif a then
+  use(a)
+else
+  use(b)
+end
+error("a")
.clean(a)
""",
    "a.swift": """\
+func f() {
+  guard a else { return }
+  if false {
.    clean(a)
.  } else {
+    use(a)
.  }
+#if false
.  clean(a)
.#endif
+  switch a {
+  case 1: break
+  default: use(a)
.  }
+  return
.  clean(a)
.}
""",
    "a.scala": """\
+object A {
+  def f() = {
.    if (false) {
.      clean(a)
.    } else use(a)
+    throw new A
.    clean(a)
.  }
.}
""",
    "a.sol": """\
+contract A {
+  function f() {
.    if (false) { clean(a); }
+    use(a);
+    revert("a");
.    clean(a);
.  }
.}
""",
    "a.ex": """\
+def f do
+  raise "a"
.  clean(a)
+end
""",
}


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    pool = ParserPool()
    yield pool.for_tenant("a")
    pool.close()


@pytest.mark.parametrize("path", CASES)
async def test_only_what_can_run_is_running_code(parser: Parser, path: str) -> None:
    marked = CASES[path].split("\n")[:-1]
    text = "".join(f"{line[1:]}\n" for line in marked)
    found = await parser.code_lines(path, text)
    assert found is not None
    shown = [f"{'+' if n in found else '.'}{line[1:]}" for n, line in enumerate(marked, 1)]
    assert shown == marked


@pytest.mark.parametrize("path", CASES)
async def test_a_hunk_is_read_in_the_same_way(parser: Parser, path: str) -> None:
    marked = CASES[path].split("\n")[:-1]
    text = "\n".join(line[1:] for line in marked)
    found = await parser.code_lines(path, text, part=True)
    assert found is not None
    assert not {n for n in found if marked[n - 1][0] == "."}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.js", "{ return; " * 3000 + "}" * 3000),
        ("a.c", "#if 0\n" * 20_000),
        ("a.ts", "<!--\n" * 20_000),
        ("a.js", "false && " * 3000 + "a"),
        ("a.go", "package a\nfunc f() {\n" + "goto a\n" * 5000 + "}\n"),
    ],
)
async def test_hostile_nesting_takes_linear_time(parser: Parser, path: str, text: str) -> None:
    started = time.monotonic()
    await parser.code_lines(path, text)
    assert time.monotonic() - started < 20
