/* The commands of the program. Each takes its own argv (argv[0] is the command's name). */
#ifndef COMMANDS_H
#define COMMANDS_H

int command_serve(int argc, char **argv);
int command_classify(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_train(int argc, char **argv);
int command_init(int argc, char **argv);
int command_health(int argc, char **argv);

#endif
