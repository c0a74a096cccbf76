# `scoring` with the words that are secret, which come as files, in the environment of this process alone.
set -eu
if [ -r /run/secrets/redis_password ]; then
    CUSTOMER_SCORING_STORE="redis://:$(cat /run/secrets/redis_password)@redis:6379/0"
    export CUSTOMER_SCORING_STORE
fi
exec python -m serving.cli "$@"
