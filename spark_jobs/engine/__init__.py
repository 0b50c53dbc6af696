"""What every Spark job needs: session, arguments, writing, grouped kernels."""
