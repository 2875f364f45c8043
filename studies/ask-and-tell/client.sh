#!/usr/bin/env bash
# Do the trials of a study of a server with curl and awk: client.sh [URL [STUDY]]
set -euo pipefail
url=${1:-http://127.0.0.1:8765} study=${2:-ask-and-tell}

post() { # PATH BODY: again until there is an answer; the key makes the server do it once
    local key header=()
    key=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    if [ -n "${HPSEARCH_TOKEN:-}" ]; then # not in curl's arguments, which others may see
        header=(--config <(printf 'header = "Authorization: Bearer %s"\n' "$HPSEARCH_TOKEN"))
    fi
    curl --silent --show-error --max-time 60 --retry 8 --retry-connrefused --retry-max-time 60 \
        "${header[@]}" -H 'Content-Type: application/json' -H "Idempotency-Key: $key" \
        -d "$2" "$url$1"
}

field() { # NAME: of the JSON on standard input, the first value of this name
    grep -oE "\"$1\": ?(\"[^\"]*\"|[^,}]*)" | head -n 1 | sed -E 's/^[^:]*: ?"?//; s/"$//'
}

train() { # RATE MOMENTUM STEPS: a line for each step, with its loss
    awk -v rate="$1" -v momentum="$2" -v steps="$3" 'BEGIN {
        x = -1; y = 1.5
        for (step = 1; step <= steps; step++) {
            a = 1 - x; b = y - x * x
            dx = momentum * dx + rate * (2 * a + 400 * x * b)
            dy = momentum * dy - rate * 200 * b
            x += dx; y += dy
            a = 1 - x; b = y - x * x
            printf "%d %.17g\n", step, a * a + 100 * b * b
        }
    }'
}

while :; do
    asked=$(post "/v1/studies/$study/trials:ask?wait=20" '{}')
    trial=$(field trial <<<"$asked") || true
    if [ -z "$trial" ]; then
        [ "$(field order <<<"$asked" || true)" = continue ] || break
        sleep "$(field retry <<<"$asked")"
        continue
    fi
    lease=$(field lease <<<"$asked") loss=nan stopped=
    while read -r step value; do
        loss=$value
        if [[ $loss == *[in]* ]]; then # inf or nan
            post "/v1/trials/$trial:tell" "{\"lease\": \"$lease\", \"pruned\": true}" >/dev/null
            stopped=diverged
            break
        elif ((step % 10 == 0)); then
            report="{\"lease\": \"$lease\", \"step\": $step, \"value\": $loss}"
            orders=$(post "/v1/trials/$trial:report" "$report")
            if [ "$(field order <<<"$orders")" = stop ]; then
                stopped='nobody wants it any more'
                break
            fi
        fi
    done < <(train "$(field rate <<<"$asked")" "$(field momentum <<<"$asked")" \
        "$(field resource <<<"$asked")")
    if [ -z "$stopped" ]; then
        told="{\"lease\": \"$lease\", \"result\": {\"loss\": $loss}}"
        post "/v1/trials/$trial:tell" "$told" >/dev/null
    fi
    echo "trial $(field number <<<"$asked"): ${stopped:-loss $loss}"
done
field why <<<"$asked" || field detail <<<"$asked"
