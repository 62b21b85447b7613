/* SPDX-License-Identifier: MIT */
/**
 * @file
 * What every public header needs: symbol visibility and C linkage.
 */
#ifndef SHMKIT_EXPORT_H
#define SHMKIT_EXPORT_H

#define SHMKIT_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define SHMKIT_BEGIN_DECLS extern "C" {
#define SHMKIT_END_DECLS }
#else
#define SHMKIT_BEGIN_DECLS
#define SHMKIT_END_DECLS
#endif

#endif
