#!/bin/sh
# An authority's endpoint without any code of the gateway's: openssl (3.0 or later), curl, age, and
# POSIX tools. Explained, piece by piece, in ../client-without-our-code.md.
#
#   endpoint.sh CONF directory                  check the directory and keep the mechanism's keys
#   endpoint.sh CONF inbox [SECONDS]            list new messages, each checked
#   endpoint.sh CONF read NUMBER                decrypt what a message says
#   endpoint.sh CONF pull SHARE FOLDER          fetch, check, decrypt, acknowledge
#   endpoint.sh CONF terms SHARE                accept the terms that a pull has shown, as CONF's officer
#   endpoint.sh CONF receipt SHARE RUNG         acknowledge as CONF's actor: accepted, rejected, …
#   endpoint.sh CONF rfa INVESTIGATION FILE     send a request for assistance
set -eu
export LC_ALL=C
umask 077

case $1 in */*) conf=$1 ;; *) conf=./$1 ;; esac
command=$2
shift 2
. "$conf"
mkdir -p "$work/inbox"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

die() { echo "endpoint: $*" >&2; exit 1; }
b64u() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
unb64u() { tr -d '\n' | tr -- '-_' '+/' | awk '{ printf "%s%s", $0, substr("===", 1, (4 - length($0) % 4) % 4) }' | openssl base64 -d -A; }
sha256() { sha256sum | cut -c1-64; }
size() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
new_id() { printf '%s_%s' "$1" "$(openssl rand 16 | base32 | tr -d '=\n' | tr 'A-Z' 'a-z')"; }

# The 32 bytes of an Ed25519 public key in base64url; the name of such a key (RFC 7638); its PEM.
public_of() { openssl pkey -in "$1" -pubout -outform DER | tail -c 32 | b64u; }
name_of() { printf '{"crv":"Ed25519","kty":"OKP","x":"%s"}' "$1" | openssl dgst -sha256 -binary | b64u; }
pem_of() { { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf %s "$1" | unb64u; } | openssl pkey -pubin -inform DER; }

# json FILE: every leaf as a line, path TAB value. json FILE PATH: the value there in canonical form.
json() {
  awk -v want="${2-}" '
    function bad() { print "endpoint: not JSON" >"/dev/stderr"; exit 1 }
    function space() { while ((c = substr(t, i, 1)) != "" && index(" \t\r\n", c)) i++ }
    function need(x) { space(); if (c != x) bad(); i++ }
    function unit(  n, k) {
      n = 0
      for (k = 0; k < 4; k++) n = n * 16 + index("0123456789abcdef", tolower(substr(t, i + k, 1))) - 1
      i += 4
      return n
    }
    function utf8(  n) {
      n = unit()
      if (n >= 55296 && n < 56320) { i += 2; n = 65536 + (n - 55296) * 1024 + unit() - 56320 }
      if (n < 128) return sprintf("%c", n)
      if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
      if (n < 65536) return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
      return sprintf("%c%c%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64, 128 + int(n / 64) % 64, 128 + n % 64)
    }
    function text(  s, part, e) {
      for (i++; ; ) {
        part = substr(t, i, 4096)
        match(part, /^[^"\\]*/)
        s = s substr(part, 1, RLENGTH)
        i += RLENGTH
        if (RLENGTH == 4096) continue
        e = substr(t, i, 1)
        if (e == "\"") { i++; return s }
        if (e == "") bad()
        e = substr(t, i + 1, 1)
        i += 2
        s = s (e == "u" ? utf8() : e in escape ? escape[e] : e)
      }
    }
    function quoted(s,  k, r, e) {
      if (s !~ /["\\\001-\037]/) return "\"" s "\""
      for (k = 1; k <= length(s); k++) { e = substr(s, k, 1); r = r (e in back ? back[e] : e) }
      return "\"" r "\""
    }
    function value(path,  k, n, key, r, keys, of, j) {
      space()
      if (c == "{") {
        i++; space()
        while (c != "}") {
          key = text(); need(":")
          r = value(path "/" key)
          for (j = n++; j > 0 && keys[j - 1] > key; j--) { keys[j] = keys[j - 1]; of[j] = of[j - 1] }
          keys[j] = key; of[j] = r
          space(); if (c == ",") { i++; space() } else if (c != "}") bad()
        }
        i++
        r = "{"
        for (k = 0; k < n; k++) r = r (k ? "," : "") quoted(keys[k]) ":" of[k]
        r = r "}"
      } else if (c == "[") {
        i++; space(); r = "["
        while (c != "]") {
          r = r (n ? "," : "") value(path "/" (n + 0)); n++
          space(); if (c == ",") i++; else if (c != "]") bad()
        }
        i++; r = r "]"
      } else if (c == "\"") {
        r = text()
        if (want == "") { k = r; gsub(/[\t\n]/, " ", k); print path "\t" k }
        r = quoted(r)
      } else {
        if (!match(substr(t, i, 30), /^(true|false|null|-?[0-9]+)/)) bad()
        r = substr(t, i, RLENGTH); i += RLENGTH
        if (want == "") print path "\t" r
      }
      if (path == want && want != "") printf "%s", r
      return r
    }
    BEGIN {
      escape["n"] = "\n"; escape["t"] = "\t"; escape["r"] = "\r"; escape["b"] = "\b"; escape["f"] = "\f"
      for (k = 1; k < 32; k++) back[sprintf("%c", k)] = sprintf("\\u%04x", k)
      for (e in escape) back[escape[e]] = "\\" e
      back["\""] = "\\\""; back["\\"] = "\\\\"
    }
    { t = t (NR > 1 ? "\n" : "") $0 }
    END { i = 1; value(""); space(); if (c != "") bad() }' "$1"
}
# at FLAT PATH: the value of one leaf.
at() { awk -F '\t' -v path="$2" '$1 == path { print $2; found = 1 } END { exit !found }' "$1"; }

# sign TYPE PAYLOAD: a signed object over a file of canonical JSON, with the key that signs messages.
sign() {
  protected=$(printf '{"alg":"EdDSA","kid":"%s","typ":"%s"}' "$(name_of "$(public_of "$message_key")")" "$1" | b64u)
  { printf '%s.' "$protected"; b64u <"$2"; } >"$tmp/signed"
  printf '{"payload":"%s","signatures":[{"protected":"%s","sig2":null,"signature":"%s"}]}' \
    "$(b64u <"$2")" "$protected" "$(openssl pkeyutl -sign -inkey "$message_key" -rawin -in "$tmp/signed" | b64u)"
}

# verify TYPE FILE KEYS [THRESHOLD]: print the payload of a signed object, if enough of KEYS (a file, one
# a line) signed it. Signatures by other keys count for nothing; one that does not hold ends it.
verify() {
  json "$2" >"$tmp/object"
  payload=$(at "$tmp/object" /payload) signer=0 held=
  printf '{"payload":"%s","signatures":[' "$payload" >"$tmp/again"
  while protected=$(at "$tmp/object" "/signatures/$signer/protected"); do
    signature=$(at "$tmp/object" "/signatures/$signer/signature")
    second=$(at "$tmp/object" "/signatures/$signer/sig2")
    if [ "$second" != null ]; then second=\"$second\"; fi
    if [ "$signer" -gt 0 ]; then printf , >>"$tmp/again"; fi
    printf '{"protected":"%s","sig2":%s,"signature":"%s"}' "$protected" "$second" "$signature" >>"$tmp/again"
    while read -r key; do
      said=$(printf '{"alg":"EdDSA","kid":"%s","typ":"%s"}' "$(name_of "$key")" "$1" | b64u)
      [ "$said" = "$protected" ] || continue
      pem_of "$key" >"$tmp/key.pem"
      printf '%s.%s' "$protected" "$payload" >"$tmp/signed"
      printf %s "$signature" | unb64u >"$tmp/signature"
      openssl pkeyutl -verify -pubin -inkey "$tmp/key.pem" -rawin -in "$tmp/signed" \
        -sigfile "$tmp/signature" >/dev/null || die "a signature does not hold: $2"
      case " $held " in *" $key "*) ;; *) held="$held $key" ;; esac
    done <"$3"
    signer=$((signer + 1))
  done
  # Its bytes are fixed: another spelling of the same object is refused.
  printf ']}' >>"$tmp/again"
  cmp -s "$tmp/again" "$2" || die "not a signed object: $2"
  [ "$(printf %s "$held" | wc -w)" -ge "${4:-1}" ] || die "not signed by enough known keys: $2"
  printf %s "$payload" | unb64u
}

# request METHOD TARGET OUT [curl options]: one request with a token of its own; its status is printed.
request() {
  method=$1 target=$2 out=$3 body=/dev/null
  shift 3
  if [ "$method" = POST ]; then body=$tmp/body; set -- --data-binary "@$body" -H 'Content-Type: application/json' "$@"; fi
  iat=$(date +%s)
  head=$(printf '{"alg":"EdDSA","kid":"%s","typ":"fx-req+jwt"}' "$(name_of "$(public_of "$request_key")")" | b64u)
  claims=$(printf '{"aud":"%s","bd":"%s","exp":%s,"htm":"%s","htu":"%s","iat":%s,"iss":"%s","jti":"%s"}' \
    "$audience" "$(openssl dgst -sha256 -binary <"$body" | b64u)" $((iat + 60)) "$method" "$target" "$iat" \
    "$actor" "$(openssl rand -hex 16)" | b64u)
  printf '%s.%s' "$head" "$claims" >"$tmp/signed"
  token=$head.$claims.$(openssl pkeyutl -sign -inkey "$request_key" -rawin -in "$tmp/signed" | b64u)
  curl -sS -X "$method" -H "Authorization: Bearer $token" -o "$out" -w '%{http_code}' "$@" "$url$target"
}
# ask …: the same, for which anything but success is the end.
ask() {
  status=$(request "$@")
  case $status in 2*) ;; *) json "$3" >"$tmp/problem"; die "$status $(at "$tmp/problem" /detail)" ;; esac
}

# The directory: the custodians' signature, then the path from each party to the signed root.
directory() {
  ask GET /v1/directory "$tmp/view"
  json "$tmp/view" >"$tmp/view.flat"
  at "$tmp/view.flat" /signed | tr -d '\n' >"$tmp/statement"
  verify eg-directory "$tmp/statement" "$root_keys" "$threshold" >"$tmp/said"
  json "$tmp/said" >"$tmp/said.flat"
  number=$(at "$tmp/said.flat" /number)
  if [ -f "$work/directory" ] && [ "$number" -lt "$(cat "$work/directory")" ]; then
    die "the directory is older than the one seen before"
  fi
  sed 's/.*"root":"\([^"]*\)".*/\1/' "$tmp/said" | unb64u >"$tmp/root"
  e=0
  while place=$(at "$tmp/view.flat" "/entries/$e/place"); do
    { printf '\000'; at "$tmp/view.flat" "/entries/$e/salt" | unb64u; json "$tmp/view" "/entries/$e/party"; } |
      openssl dgst -sha256 -binary >"$tmp/node"
    for level in 0 1 2 3 4 5 6 7 8 9 10 11; do
      at "$tmp/view.flat" "/entries/$e/path/$level" | unb64u >"$tmp/sibling"
      if [ $((place % 2)) = 1 ]; then set -- sibling node; else set -- node sibling; fi
      { printf '\001'; cat "$tmp/$1" "$tmp/$2"; } | openssl dgst -sha256 -binary >"$tmp/parent"
      mv "$tmp/parent" "$tmp/node"
      place=$((place / 2))
    done
    cmp -s "$tmp/node" "$tmp/root" || die "a party is not of the signed directory"
    e=$((e + 1))
  done
  awk -F '\t' -v now="$(now)" -v work="$work" '
    $1 ~ /^\/entries\/[0-9]+\/party\/kind$/ && $2 == "mechanism" { split($1, part, "/"); entry = part[3] }
    { of[$1] = $2 }
    $1 ~ /\/use$/ { keys[++n] = substr($1, 1, length($1) - 4) }
    END {
      mechanism = "/entries/" entry "/"
      print of[mechanism "party/id"] >(work "/mechanism")
      printf "" >(work "/manifest.keys"); printf "" >(work "/content.keys")
      for (k = 1; k <= n; k++) {
        key = keys[k]; state = of[key "/status"]
        if (index(key, mechanism) != 1 || of[key "/not_before"] > now || of[key "/not_after"] <= now) continue
        if (of[key "/use"] == "manifest" && state ~ /^(active|retired)$/) print of[key "/public"] >(work "/manifest.keys")
        if (of[key "/use"] == "envelope" && of[key "/alg"] == "x25519" && state ~ /^(active|next)$/) print of[key "/public"] >(work "/content.keys")
      }
    }' "$tmp/view.flat"
  echo "$number" >"$work/directory"
}

inbox() {
  after=$(cat "$work/cursor" 2>/dev/null || echo 0)
  ask GET "/v1/inbox?after=$after&wait=${1:-0}" "$tmp/inbox"
  json "$tmp/inbox" >"$tmp/inbox.flat"
  m=0
  while at "$tmp/inbox.flat" "/messages/$m" >"$tmp/line"; do
    tr -d '\n' <"$tmp/line" >"$tmp/message"
    verify eg-message "$tmp/message" "$work/manifest.keys" >"$tmp/said"
    json "$tmp/said" >"$tmp/said.flat"
    seq=$(at "$tmp/said.flat" /seq)
    [ "$(at "$tmp/said.flat" /to)" = "$party" ] || die "a message is for another recipient"
    [ "$seq" -gt "$after" ] || die "the inbox is out of order"
    cp "$tmp/said.flat" "$work/inbox/$seq"
    echo "$seq $(at "$tmp/said.flat" /about) $(at "$tmp/said.flat" /share) $(at "$tmp/said.flat" /rfa)"
    after=$seq m=$((m + 1))
    echo "$after" >"$work/cursor"
  done
}

read_message() { at "$work/inbox/$1" /content | unb64u | age -d -i "$identity"; }

# fetch SHARE N SIZE FILE: in slices; each is asked for from where the file ends, also after a cut.
fetch() {
  tries=0
  while have=$(size "$4") && [ "$have" -lt "$3" ]; do
    [ "$tries" -lt 8 ] || die "item $2 does not arrive"
    last=$((have + ${slice:-67108864} - 1))
    [ "$last" -lt "$3" ] || last=$(($3 - 1))
    status=$(request GET "/v1/shares/$1/items/$2" "$tmp/slice" -H "Range: bytes=$have-$last") || status="${status:-0} cut"
    case $status in
      206*) cat "$tmp/slice" >>"$4"; : >"$tmp/slice" ;;
      4*) json "$tmp/slice" >"$tmp/problem"; die "$status $(at "$tmp/problem" /detail)" ;;
    esac
    if [ "$status" = 206 ]; then tries=0; else tries=$((tries + 1)); sleep "$tries"; fi
  done
}

pull() {
  share=$1 folder=$2 here=$work/$1
  [ ! -e "$folder/$share" ] || die "$folder/$share is there already"
  mkdir -p "$here"
  ask GET "/v1/shares/$share/manifest" "$tmp/manifest"
  verify eg-manifest "$tmp/manifest" "$work/manifest.keys" >"$tmp/outer"
  json "$tmp/outer" >"$tmp/outer.flat"
  [ "$(at "$tmp/outer.flat" /share)" = "$share" ] || die "the manifest is of another share"
  [ "$(at "$tmp/outer.flat" /recipient)" = "$party" ] || die "the manifest is for another recipient"
  if [ -f "$here/manifest" ]; then cmp -s "$tmp/manifest" "$here/manifest" || die "the manifest is another one than before"; fi
  cp "$tmp/manifest" "$here/manifest"
  ask GET "/v1/shares/$share/manifest/inner" "$tmp/inner.age"
  [ "$(sha256 <"$tmp/inner.age")" = "$(at "$tmp/outer.flat" /inner)" ] || die "the inner manifest is another one"
  age -d -i "$identity" <"$tmp/inner.age" >"$tmp/inner"
  json "$tmp/inner" >"$tmp/inner.flat"
  [ "$(at "$tmp/inner.flat" /share)" = "$share" ] || die "the inner manifest is of another share"
  json "$tmp/inner" /terms >"$here/terms"
  echo "terms of $share: $(cat "$here/terms") $(at "$tmp/outer.flat" /expires)" >&2
  n=0
  while header=$(at "$tmp/outer.flat" "/items/$n/header_size"); do
    body=$(at "$tmp/outer.flat" "/items/$n/body_size") file=$here/$n.age
    fetch "$share" "$n" $((header + body)) "$file"
    # Before anything is decrypted: who shares an item with us could have made another body for it.
    if [ "$(size "$file")" != $((header + body)) ] ||
      [ "$(head -c "$header" "$file" | sha256)" != "$(at "$tmp/outer.flat" "/items/$n/header")" ] ||
      [ "$(tail -c +$((header + 1)) "$file" | sha256)" != "$(at "$tmp/outer.flat" "/items/$n/body")" ]; then
      rm -f "$file"
      die "item $n is not what the manifest says: nothing was decrypted"
    fi
    n=$((n + 1))
  done
  receipt "$share" pulled
  rm -rf "$here/open"
  mkdir -p "$here/open"
  k=0
  while [ "$k" -lt "$n" ]; do
    name=$(at "$tmp/inner.flat" "/items/$k/particulars/name")
    case /$name/ in *//* | */../* | */./* | *\\*) die "an item's name leads out of its folder" ;; esac
    mkdir -p "$(dirname "$here/open/$name")"
    [ ! -e "$here/open/$name" ] || die "two items have one name"
    age -d -i "$identity" <"$here/$k.age" >"$here/open/$name"
    [ "$(sha256 <"$here/open/$name")" = "$(at "$tmp/inner.flat" "/items/$k/particulars/sha256")" ] ||
      die "item $k decrypts to something else than was stated"
    k=$((k + 1))
  done
  mkdir -p "$folder"
  mv "$here/open" "$folder/$share"
  receipt "$share" verified
  rm -f "$here"/*.age
}

# receipt SHARE RUNG: one receipt per rung, kept and sent again as it was if the answer got lost.
receipt() {
  kept=$work/$1/$2.receipt
  if [ ! -f "$kept" ]; then
    printf '{"at":"%s","by":"%s","id":"%s","manifest":"%s","rung":"%s","share":"%s","v":1}' \
      "$(now)" "$actor" "$(new_id rcp)" "$(sha256 <"$work/$1/manifest")" "$2" "$1" >"$tmp/payload"
    sign eg-receipt "$tmp/payload" >"$kept"
  fi
  cp "$kept" "$tmp/body"
  ask POST "/v1/shares/$1/receipts" "$tmp/answer"
  json "$tmp/answer" >"$tmp/answer.flat"
  echo "$1 $(at "$tmp/answer.flat" /state)"
}

# accept_terms SHARE: sign the terms that a pull has shown; kept, and sent again as it was.
accept_terms() {
  kept=$work/$1/terms.signed
  if [ ! -f "$kept" ]; then
    printf '{"accepted":true,"at":"%s","by":"%s","id":"%s","manifest":"%s","share":"%s","terms":"%s","v":1}' \
      "$(now)" "$actor" "$(new_id trm)" "$(sha256 <"$work/$1/manifest")" "$1" "$(sha256 <"$work/$1/terms")" >"$tmp/payload"
    sign eg-terms "$tmp/payload" >"$kept"
  fi
  cp "$kept" "$tmp/body"
  ask POST "/v1/shares/$1/terms" "$tmp/answer"
  echo "$1 signed"
}

# rfa INVESTIGATION FILE: the text sealed to the mechanism's officers, the rest in clear for its gateway.
rfa() {
  case $1 in *[!A-Za-z0-9./\ -]*) die "an investigation is letters, digits, dots, slashes, spaces" ;; esac
  [ -s "$work/content.keys" ] || die "the mechanism has no classic key to seal to"
  age -R "$work/content.keys" <"$2" | b64u >"$tmp/content"
  id=$(new_id rfa)
  { printf '{"about":"rfa.request","at":"%s","by":"%s","content":"' "$(now)" "$actor"
    cat "$tmp/content"
    printf '","id":"%s","in_reply_to":null,"rfa":"%s","sender":"%s","to":"%s","v":1,' \
      "$(new_id msg)" "$id" "$party" "$(cat "$work/mechanism")"
    printf '"wanted":{"crimes":["war_crimes"],"death_penalty":"excluded","due":null,"in_absentia":false,'
    printf '"investigation":"%s","parent":null,"products":["evidence"],"purpose":"criminal"}}' "$1"
  } >"$tmp/payload"
  sign eg-rfa "$tmp/payload" >"$tmp/body"
  ask POST /v1/rfas "$tmp/answer"
  echo "$id"
}

case $command in
  directory) directory ;;
  inbox) directory; inbox "$@" ;;
  read) read_message "$@" ;;
  pull) directory; pull "$@" ;;
  terms) accept_terms "$@" ;;
  receipt) receipt "$@" ;;
  rfa) directory; rfa "$@" ;;
  *) die "there is no command $command" ;;
esac
