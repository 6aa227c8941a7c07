#!/bin/sh
# Shows each FOLDER/*.ansi in a real xterm on dark, light and solarized backgrounds at several font sizes, takes a picture
# of the screen and reads it with zbar. FOLDER/NAME.txt holds the text that must be read, FOLDER/NAME.size the geometry
# (COLSxROWS). Prints one line a try; ends with 1 if any picture could not be read, with 3 if a tool is missing.
#
# Usage: scan.sh FOLDER [DEADLINE_SECONDS]
set -eu

folder=$1
deadline=${2:-20}
for tool in Xvfb xterm import zbarimg fc-list; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 3; }
done
fc-list | grep -q 'DejaVu Sans Mono' || { echo "missing: font DejaVu Sans Mono" >&2; exit 3; }

work=$(mktemp -d)
server= terminal=
end() {
    [ -z "$terminal" ] || kill "$terminal" 2>/dev/null || :
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# Waits until the test given as arguments is true, or until the deadline has passed.
await() {
    tries=$((deadline * 10))
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# -noreset: otherwise the server starts anew whenever its last window closes, and may drop the next one.
Xvfb -noreset -displayfd 3 -screen 0 2400x1500x24 -nolisten tcp 3>"$work/display" 2>"$work/xvfb.log" &
server=$!
await test -s "$work/display" || { cat "$work/xvfb.log" >&2; exit 3; }
DISPLAY=:$(tr -d '\n' <"$work/display")
export DISPLAY

# Reads the screen; true when zbar found the text.
reads() {
    import -window root "$work/shot.png" 2>/dev/null || return 1
    zbarimg -q --raw -Sdisable -Sqrcode.enable "$work/shot.png" >"$work/read" 2>/dev/null || return 1
    # zbar adds a newline of its own.
    [ "$(cat "$work/read")" = "$(cat "$1")" ]
}

failed=0
try() {
    name=$1 theme=$2 fg=$3 bg=$4 points=$5
    rm -f "$work/drawn"
    # The cells are drawn, then the terminal waits to be looked at. Its 16 colours are the theme's: they must not matter.
    xterm -b 0 +sb -fa 'DejaVu Sans Mono' -fs "$points" -fg "$fg" -bg "$bg" -geometry "$(cat "$folder/$name.size")+0+0" \
        -xrm 'XTerm*color0: #073642' -xrm 'XTerm*color7: #eee8d5' -xrm 'XTerm*color15: #fdf6e3' \
        -e sh -c 'stty -echo; cat "$1"; : >"$2"; exec sleep 600' sh "$folder/$name.ansi" "$work/drawn" 2>"$work/xterm.log" &
    terminal=$!
    if await test -e "$work/drawn" && await reads "$folder/$name.txt"; then
        echo "ok    $name $theme $points pt"
    else
        echo "FAIL  $name $theme $points pt"
        cat "$work/xterm.log" >&2
        cp "$work/shot.png" "$folder/$name-$theme-$points.png" 2>/dev/null || :
        failed=1
    fi
    kill "$terminal" 2>/dev/null || :
    wait "$terminal" 2>/dev/null || :
    terminal=
}

for file in "$folder"/*.ansi; do
    name=$(basename "$file" .ansi)
    for points in 8 9 10 11 12 14; do
        try "$name" dark gray90 black "$points"
    done
    for points in 8 10 14; do
        try "$name" light black white "$points"
        try "$name" solarized-dark '#839496' '#002b36' "$points"
        try "$name" solarized-light '#657b83' '#fdf6e3' "$points"
    done
done
exit "$failed"
