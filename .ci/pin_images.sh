#!/usr/bin/env bash
# Pins each image that deploy/ names to the digest that its tag has now: .ci/pin_images.sh
# It needs docker with buildx, and the network. Dependabot then keeps tag and digest up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for file in deploy/Dockerfile deploy/compose.yaml; do
    # Without a digest of an earlier run.
    sed -nE 's/^(FROM| +image:) ([^ @]+).*/\2/p' "$file" | sort -u | while read -r image; do
        digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}' </dev/null)
        [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$image: not a digest: $digest" >&2; exit 1; }
        sed -i -E "s#^(FROM| +image:) ${image//./\\.}(@[^ ]+)?( |\$)#\1 $image@$digest\3#" "$file"
        echo "$file: $image@$digest"
    done
done
