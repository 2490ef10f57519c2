"""Conservation, symplecticity and multisymplecticity of the discrete flow."""
