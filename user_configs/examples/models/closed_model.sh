#!/bin/sh
# The same in a POSIX shell. `id` always comes first, and paths hold no quotes, so that sed can find them.
echo '{"ready": true}'
while IFS= read -r line; do
  id=$(printf '%s\n' "$line" | sed 's/^{"id": "\([0-9]*\)".*/\1/')
  image=$(printf '%s\n' "$line" | sed -n 's/.*"images": \["\([^"]*\)".*/\1/p')
  if [ -z "$image" ]; then
    printf '{"id": "%s", "error": {"kind": "bad_request", "message": "an image is needed"}}\n' "$id"
    continue
  fi
  # your program in the place of wc; its text becomes one JSON string
  text=$(wc -c < "$image" | sed 's/\\/\\\\/g; s/"/\\"/g; s/^ *//' | awk '{printf "%s%s", sep, $0; sep = "\\n"}')
  printf '{"id": "%s", "text": "%s"}\n' "$id" "$text"
done
