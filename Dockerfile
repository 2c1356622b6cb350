# One image holds every function on its PATH; the command chooses which:
#
#     docker run IMAGE webhook --listen 0.0.0.0:9000
#
# It runs as nobody in particular and writes nothing to its file system (docker run --read-only). The settings come from
# the environment (README, "Settings"). Port 9000 speaks FastCGI and must never be public.
FROM debian:trixie-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev make libfcgi-dev libhiredis-dev libjansson-dev libssl-dev libcurl4-openssl-dev \
        zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Makefile ./
COPY common common
COPY functions functions
COPY deploy deploy
ARG VERSION=unknown
RUN make -j"$(nproc)" install-functions VERSION="$VERSION" DESTDIR=/out PROGRAMS=/usr/local/bin

FROM debian:trixie-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libcurl4t64 libfcgi0t64 libhiredis1.1.0 libjansson4 libssl3t64 zlib1g \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
USER 10001:10001
EXPOSE 9000
STOPSIGNAL SIGTERM
