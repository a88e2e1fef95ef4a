# One image for each function, one for the handset, one for the name server: docker build --target pcscf .
# Each holds one static binary and nothing else: no shell, no libraries, no package to keep patched.

ARG GO=1.26

# The compiler runs on the machine's own processor, whatever the image is for (--platform linux/arm64).
FROM --platform=$BUILDPLATFORM golang:${GO} AS build
WORKDIR /src
ENV CGO_ENABLED=0
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
      -ldflags "-s -w -X github.com/dialtone-ims/dialtone/pkg/service.version=$VERSION" \
      -o /out/ ./pcscf ./icscf ./scscf ./hss ./ocs ./ue ./lab
# Folders for the images, which have no mkdir. A new volume takes over who owns the folder that it is mounted on.
RUN mkdir -p /empty/data /empty/tmp && chmod 700 /empty/data && chmod 1777 /empty/tmp

FROM scratch AS function
ARG VERSION=
LABEL org.opencontainers.image.title="Dialtone" \
      org.opencontainers.image.description="An IMS core for private VoLTE labs" \
      org.opencontainers.image.source="https://github.com/dialtone-ims/dialtone" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /empty/tmp /tmp

# The P-CSCF puts security associations into the kernel: root, for NET_ADMIN. Docker gives capabilities to no other user.
FROM function AS pcscf
COPY --from=build /empty/data /data
COPY --from=build /out/pcscf /pcscf
ENV DIALTONE_PCSCF_DATA=/data DIALTONE_PCSCF_ADMIN_TOKEN_FILE=/data/admin.token
VOLUME /data
EXPOSE 5060/udp 5060/tcp 5070/udp 5070/tcp 9090/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/pcscf", "--healthy"]
ENTRYPOINT ["/pcscf"]

FROM function AS icscf
COPY --from=build /out/icscf /icscf
USER 65532:65532
ENV DIALTONE_ICSCF_ADMIN_TOKEN_FILE=/tmp/admin.token
EXPOSE 5060/udp 5060/tcp 9090/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/icscf", "--healthy"]
ENTRYPOINT ["/icscf"]

FROM function AS scscf
COPY --from=build --chown=65532:65532 /empty/data /data
COPY --from=build /out/scscf /scscf
USER 65532:65532
ENV DIALTONE_SCSCF_DATA=/data DIALTONE_SCSCF_ADMIN_TOKEN_FILE=/data/admin.token
VOLUME /data
EXPOSE 5060/udp 5060/tcp 9090/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/scscf", "--healthy"]
ENTRYPOINT ["/scscf"]

FROM function AS hss
COPY --from=build --chown=65532:65532 /empty/data /data
COPY --from=build /out/hss /hss
USER 65532:65532
ENV DIALTONE_HSS_DATA=/data DIALTONE_HSS_ADMIN_TOKEN_FILE=/data/admin.token
VOLUME /data
EXPOSE 3868/tcp 9090/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/hss", "--healthy"]
ENTRYPOINT ["/hss"]

FROM function AS ocs
COPY --from=build --chown=65532:65532 /empty/data /data
COPY --from=build /out/ocs /ocs
USER 65532:65532
ENV DIALTONE_OCS_DATA=/data DIALTONE_OCS_ADMIN_TOKEN_FILE=/data/admin.token
VOLUME /data
EXPOSE 3868/tcp 9090/tcp
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/ocs", "--healthy"]
ENTRYPOINT ["/ocs"]

# The simulated handset: a client, so it has no health.
FROM function AS ue
COPY --from=build /out/ue /ue
USER 65532:65532
ENTRYPOINT ["/ue"]

# The name server. Its health is asked where its flags are known, in docker-compose.yml.
FROM function AS dns
COPY --from=build /out/lab /lab
USER 65532:65532
EXPOSE 53/udp 53/tcp
ENTRYPOINT ["/lab", "dns"]
