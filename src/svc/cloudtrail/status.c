/* Logging on and off, and how it goes. */
#include "room.h"

OP_HANDLER(cloudtrail, StartLogging, StartLoggingRequest, StartLoggingResponse)
{
    struct trail t;
    TRY(trail_need_home(c, in->Name, &t));
    if (t.logging)
        return NULL;
    t.logging = true;
    t.started_ms = c->now_ms;
    if (!t.running) /* else the job has yet to deliver what came before the stop */
        TRY(trail_cursor_now(c, &t));
    t.running = true;
    TRY(trail_write(c->txn, c->arena, &t));
    return trail_job(c->txn, c->arena, &t, c->now_ms + c->ward->trail_interval_ms);
}

/* The job notices, delivers what was recorded until now, and ends. */
OP_HANDLER(cloudtrail, StopLogging, StopLoggingRequest, StopLoggingResponse)
{
    struct trail t;
    TRY(trail_need_home(c, in->Name, &t));
    if (!t.logging)
        return NULL;
    t.logging = false;
    t.stopped_ms = c->now_ms;
    return trail_write(c->txn, c->arena, &t);
}

OP_HANDLER(cloudtrail, GetTrailStatus, GetTrailStatusRequest, GetTrailStatusResponse)
{
    struct trail t;
    TRY(trail_need(c, in->Name, &t));
    out->IsLogging = some_bool(t.logging);
    if (t.started_ms > 0) {
        out->StartLoggingTime = some_int(t.started_ms);
        out->TimeLoggingStarted = time_iso8601_str(c->arena, t.started_ms);
    }
    if (t.stopped_ms > 0) {
        out->StopLoggingTime = some_int(t.stopped_ms);
        out->TimeLoggingStopped = time_iso8601_str(c->arena, t.stopped_ms);
    }
    if (t.delivered_ms > 0)
        out->LatestDeliveryTime = some_int(t.delivered_ms);
    if (t.delivery_error.n > 0)
        out->LatestDeliveryError = t.delivery_error;
    if (t.notified_ms > 0)
        out->LatestNotificationTime = some_int(t.notified_ms);
    if (t.notify_error.n > 0)
        out->LatestNotificationError = t.notify_error;
    if (t.digested_ms > 0)
        out->LatestDigestDeliveryTime = some_int(t.digested_ms);
    if (t.digest_error.n > 0)
        out->LatestDigestDeliveryError = t.digest_error;
    return NULL;
}
