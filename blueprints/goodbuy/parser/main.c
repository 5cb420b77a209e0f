#include "parser.h"

int main(void)
{
    static struct parser parser;
    int status = lambda_run(parser_init, parser_handle, &parser);
    parser_clear(&parser);
    return status;
}
