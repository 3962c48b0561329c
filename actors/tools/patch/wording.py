"""What models are told of the patch tool: its grammar, and how to write a patch."""

from typing import Final

__all__ = ["FREEFORM_DESCRIPTION", "FUNCTION_DESCRIPTION", "GRAMMAR"]

GRAMMAR: Final = r"""start: opening section+ closing
opening: "*** Begin Patch" LF
closing: "*** End Patch" LF?

section: new_file | removed_file | changed_file
new_file: "*** Add File: " path LF new_line+
removed_file: "*** Delete File: " path LF
changed_file: "*** Update File: " path LF destination? spot+
destination: "*** Move to: " path LF

spot: marker edit+ end_of_file?
marker: ("@@" | "@@ " anchor) LF
edit: ("+" | "-" | " ") rest LF
new_line: "+" rest LF
end_of_file: "*** End of File" LF

path: /[^\r\n]+/
anchor: /[^\r\n]+/
rest: /[^\r\n]*/

%import common.LF
"""
"""In the notation of Lark; servers keep the model's output to it."""

FREEFORM_DESCRIPTION: Final = (
    "Changes files: adds, edits, renames and deletes them, all or none. The whole input is the "
    "patch itself, as plain text in the given grammar; do not put it into JSON or quotes."
)

FUNCTION_DESCRIPTION: Final = """\
Changes files: adds, edits, renames and deletes them, all or none. `input` is the whole patch.

A patch stands between two lines, `*** Begin Patch` and `*** End Patch`, and has one section per \
file. Each section begins with one of these lines:
- `*** Add File: <path>`: a new file. Every line below is `+` and a line of its content.
- `*** Delete File: <path>`: nothing follows.
- `*** Update File: <path>`: an edit. `*** Move to: <new path>` may come next, to rename the file.

An edit has one or more spots, from the top of the file to its bottom. A spot begins with a line \
`@@`, or `@@ <line>` with a whole line of the file, such as the head of a function, that the spot \
comes after. Below it each line is a space and an unchanged line, `-` and a line to remove, or \
`+` and a line to add. Show about three unchanged lines before and after what changes, so that \
the spot is found and found only there. `*** End of File` after a spot says that it is at the end \
of the file.

Paths are best written relative to the working directory. An example:

*** Begin Patch
*** Update File: src/greet.py
@@ def greet(name):
-    print("hi")
+    print("hello", name)
*** Add File: docs/greeting.md
+# Greeting
*** Delete File: old.txt
*** End Patch
"""
