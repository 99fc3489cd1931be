/* What systemd learns of a service of Type=notify; without one, nothing. */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Send "READY=1" or "STOPPING=1" to $NOTIFY_SOCKET, where that is set. Failures are of no matter.
 */
void notify_systemd(const char *state);

#endif
