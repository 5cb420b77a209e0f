/* memory.h: giving memory back to the system.
 *
 * What a start and a burst of work leave mapped is many times what is touched afterwards. Nothing
 * is lost: heap pages that hold nothing, and pages of programs and libraries, which the system maps
 * again from its own cache when they are next run. Some milliseconds; from any thread. */
#ifndef WARD_CORE_MEMORY_H
#define WARD_CORE_MEMORY_H

void memory_give_back(void);

#endif
