# A bot as a container: this package with the extra "media", and examples/service.py as the program. Put your own in its
# place. docker build -t bot . && docker run --env-file login.env --stop-timeout 90 bot
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY telnyx_core telnyx_core
COPY telnyx_drivers telnyx_drivers
COPY telnyx_rtc telnyx_rtc
RUN pip install --no-cache-dir --prefix=/installed '.[media]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home bot
COPY --from=build /installed /usr/local
COPY examples/first_call.py examples/service.py /app/
WORKDIR /app
USER bot
ENV PYTHONUNBUFFERED=1
# Python as the first process gets SIGTERM itself: calls go on for as long as `drain` says, and no new ones are taken.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "service.py", "--healthy"]
ENTRYPOINT ["python", "service.py"]
