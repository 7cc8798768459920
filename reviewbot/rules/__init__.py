"""The offline rules: ast-grep rule files, read strictly.

A file holds one rule in ast-grep's own format (https://ast-grep.github.io/reference/yaml.html), so
that ``ast-grep scan --rule FILE`` can run it: ``message`` is the title, ``note`` the explanation
and the remedy. ``labels`` may name the meta variable to report. ``metadata`` has fields that
ast-grep lacks: ``category``, ``confidence``, ``scenario`` and ``words``. A rule only runs on a text
that contains one of its ``words``, which are a JSON list on one line: they are read without the
rest of the file. The texts may use the rule's meta variables.

``flow``, beside ``rule`` or instead of it, follows values from a request to a dangerous use in the
same function. Its keys are those of :class:`reviewbot.models.offline.flow.Flow`; ``sources`` and
``handlers`` name patterns of ``sources.yml``.

Each rule ``NAME.yml`` has its cases beside it in ``NAME-test.yml``, in ast-grep's test format:
``id`` is that of the rule, ``valid`` code does not match, ``invalid`` code does. A rule without a
file of cases does not load.

The folder decides where a rule runs (:mod:`reviewbot.rules.folders`): ``javascript`` also on
TypeScript and TSX, whose grammars extend it; ``jsx`` on JavaScript and TSX; ``c`` also on C++;
``any`` on every text file. The rules of ``TEXT_FOLDERS`` have no ``rule``: their check is code in
:mod:`reviewbot.models.offline.text_rules` and :mod:`reviewbot.models.offline.text_checks`.

A repository may have rules of its own in the same format. Their ids begin with ``custom/``, and
their ``language`` decides where they run. :mod:`reviewbot.pipeline.custom_rules` loads them.
"""
